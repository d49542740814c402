"""End-to-end load and chaos verification for LLM serving on Kubernetes."""
