"""From a YAML file to a frozen `Config`: models says what is allowed, reading how it is read, problems how it is refused."""
