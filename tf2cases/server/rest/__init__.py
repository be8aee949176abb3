"""The REST front end: translates between HTTP with JSON and the serving core.

`json_text` reads and writes JSON, `tensors` and `examples` turn it into arrays and tf.Examples, `application` answers
requests, and `server` runs it with limits on what a client may do.
"""
