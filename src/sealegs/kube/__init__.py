"""The Kubernetes API, and the only place that knows its client: thin functions over plain data.

Objects are read as JSON and parsed into our own frozen dataclasses: the client's models change with every
major version of it, the API does not.
"""
