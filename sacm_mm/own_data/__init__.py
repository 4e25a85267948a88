"""One's own pictures: from what people have to a data set that trains at once, and its check.

The formats are read with pycocotools, Pillow and tifffile: Datumaro 1.13 asks for Pillow 12 and
opencv-python-headless < 5, which do not go with what the rest of this project runs on.
"""
