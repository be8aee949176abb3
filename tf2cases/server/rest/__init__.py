"""The REST front end: translates between HTTP with JSON and the serving core.

`json_text` reads and writes JSON, `tensors` and `examples` convert it to arrays and tf.Examples, `application` handles
requests, and `server` runs the application and enforces limits.
"""
