"""The formats of objects: encode lines as an object, and read a stored object's lines back."""
