"""Modules that do something hostile when they are called."""

import textwrap

from student_code import changed
from student_solutions import FUNCTIONS

_EVIL = {
    "fork bomb": """
while True:
    try:
        os.fork()
    except OSError:
        pass""",
    "10 GB": "x = np.ones(10 * 2 ** 30, np.uint8)",
    "endless loop": """
while True:
    pass""",
    "endless sleep": "time.sleep(1000)",
    "sockets": """
import ctypes, struct
c = ctypes.CDLL(None, use_errno=True)
address = struct.pack('=H', 2) + struct.pack('>H', PORT) + bytes([127, 0, 0, 1]) + bytes(8)
print(c.connect(c.socket(2, 1, 0), address, 16))""",
    "forged result": """
print('{"passed": true}')
np.savez = lambda *a, **k: None
np.save('answer.npz', passed=True)""",
    "odd answer": """
real = np.savez
np.savez = lambda file, **answers: real(file, **{key: np.array(['x', 'y']) for key in answers})""",
    "empty answer": """
real = np.savez
np.savez = lambda file, **answers: real(file, **{key: np.zeros((0, 3)) for key in answers})""",
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "writes files": "open('TRACE', 'w').write('x')",
    "reads files": "print(open('SECRET_PATH').read())",
    "looks at its parents": """
print(open(f'/proc/{os.getppid()}/environ').read())
print(os.listdir('/proc'))""",
    "prints megabytes": """
for _ in range(30):
    print('x' * 10 ** 6)""",
    "recursion": """
f = lambda n: f(n + 1)
f(0)""",
    "threads": """
import threading
for _ in range(100):
    threading.Thread(target=time.sleep, args=(1000,)).start()""",
    "signals": """
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_IGN)
while True:
    pass""",
    "kills": """
for process in (os.getppid(), 1, -1):
    os.kill(process, 9)""",
    "daemon": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
time.sleep(1000)""",
    "objects of ours": """
import gc
for thing in gc.get_objects():
    if isinstance(thing, dict) and 'roles' in thing:
        thing.clear()""",
    "crash": """
import ctypes
ctypes.string_at(0)""",
    "link": """
os.unlink('answer.npz')
os.symlink('SECRET_PATH', 'answer.npz')
os._exit(0)""",
}


BEGUN = "here it begins"
"""What a hostile module prints before it does anything."""


def hostile(name, **words):
    """A wrong solution that does something hostile when its gradient is asked for the first time, then goes on."""
    evil = _EVIL[name]
    for word, text in words.items():
        evil = evil.replace(word, text)
    lines = textwrap.indent(evil.strip(), " " * 8)
    begun = f"        tried = True\n        print({BEGUN!r}, flush=True)"
    body = f"    global tried\n    if not tried:\n{begun}\n{lines}\n    n = X.shape[1]\n    G = Y - P"
    source = changed(FUNCTIONS, ("    n = X.shape[1]\n    G = P - Y", body))
    return changed(source, ("import matplotlib.pyplot as plt", "import os, signal, sys, time\ntried = False"))


HOSTILE = tuple(_EVIL)
