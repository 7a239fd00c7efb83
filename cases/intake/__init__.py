"""From the bytes that somebody sent to grey pixels and the few header facts the portal keeps.

Nothing here trusts a file name, a Content-Type or a header. ``sandbox.decode_safely`` is the door for
uploads; ``decode.decode`` is the same work in this process, for files the operator chose.
"""
