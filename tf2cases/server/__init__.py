"""Answers requests for SavedModels over gRPC and REST, as tensorflow_model_server does.

From the bottom up: `sources` finds the versions that should be served, `versions` loads and unloads them, `execution`
and `batching` run them, `core` is what both front ends call, and the front ends `grpc_front` and `rest` translate.
"""
