"""One interpreter for the Python of a page: reads parts of a program as JSON, runs each, answers what it printed."""

import contextlib
import io
import json
import linecache
import sys
import traceback


def main() -> None:
    """Run parts until there are no more."""
    names: dict[str, object] = {"__name__": "__main__"}
    answers = sys.stdout
    for line in sys.stdin:
        place, source = json.loads(line)
        linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
        printed, error = io.StringIO(), ""
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(source, place, "exec"), names)  # noqa: S102 - the page's own code is what is tested
            except BaseException:  # noqa: BLE001 - whatever it is, the page's code has failed
                error = traceback.format_exc()
        print(json.dumps([printed.getvalue(), error]), file=answers, flush=True)


main()
