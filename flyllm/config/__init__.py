"""Configuration: a file, a dict or the builder in; one validated `ManagerConfig` out.

`model` is what the rest of the package sees, `validate` decides what is allowed, `toml_file` reads files.
"""
