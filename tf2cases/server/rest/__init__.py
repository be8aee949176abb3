"""The REST front end: translates between HTTP with JSON and the serving core.

`json_text` reads and writes JSON, `tensors` and `examples` convert it to arrays and tf.Examples, `front` has what
the applications share, `application` answers requests, `forward` hands them on to another server instead, and `server`
runs an application and enforces limits.
"""
