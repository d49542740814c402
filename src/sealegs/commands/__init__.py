"""The commands of `sealegs` that are long enough for a module: arguments in, an exit code out."""
