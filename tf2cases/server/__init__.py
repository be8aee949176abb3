"""Answers requests for SavedModels over gRPC and REST, as tensorflow_model_server does.

From the bottom up: `sources` finds the versions to serve, `versions` loads and unloads them, `execution` and `batching`
run requests, `core` is the interface for the front ends, and the front ends `grpc_front` and `rest` translate between
`core` and the two protocols.
"""
