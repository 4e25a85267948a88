"""Bring data sets from the form in which they are published to the layout that is read here."""
