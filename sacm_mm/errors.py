"""The one exception that means: the user can mend this."""


class UserError(ValueError):
    """Input that cannot be used; the message is one line that names what is wrong and the fix.

    The tools print it and exit with code 2. It is a ``ValueError`` so that library users can catch
    it without knowing this package.
    """
