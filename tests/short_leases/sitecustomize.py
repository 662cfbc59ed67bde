"""Two seconds of silence end a lease, in every Python that has this folder on its path: a test cannot wait a minute."""

from cifar_linear.storage import leases

leases.DURATION, leases._HEARTBEAT = 2.0, 0.4
