"""Reading uploads that may be hostile: in a process of their own, with memory and time bounded by the system.

`child` is the side of the service; the rest runs in the child process, which checks what an upload claims before it
loads anything, and never unpickles. Nothing of the service imports the readers, so neither do their libraries weigh on
it nor can they take it down.
"""
