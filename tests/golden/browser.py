# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A headless Chromium, driven by the DevTools protocol over two pipes: JSON that ends with a NUL."""

import atexit
import base64
import contextlib
import functools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from lib import Skip

SECONDS = 60
FLAGS = ("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--mute-audio",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--force-color-profile=srgb")


def program():
    """Its path; None: there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@functools.lru_cache(maxsize=None)
def shared():
    """The one of this test; a skip where there is none."""
    if not program():
        raise Skip("no chromium")
    made = Browser()
    atexit.register(made.close)
    return made


class Browser:
    """Its process, of which tabs are made."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="unfreed-browser-")
        to_read, self.writing = os.pipe()
        self.reading, to_write = os.pipe()

        def pipes():  # the numbers that it reads and writes
            os.dup2(to_read, 13)
            os.dup2(to_write, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self.process = subprocess.Popen(
            [program(), *FLAGS, f"--user-data-dir={self.folder}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
            preexec_fn=pipes)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number = b"", 0

    def close(self):
        with contextlib.suppress(AssertionError, OSError):
            self.call("Browser.close")
        self.process.kill()
        self.process.wait()
        os.close(self.reading)
        os.close(self.writing)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, tab=None, **parameters):
        """The answer to a command; events of its tab that come before it are noted."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if tab:
            message["sessionId"] = tab.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writing, data):]
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if tab and answer.get("sessionId") == tab.session:
                tab.note(answer)

    def read(self):
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reading], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the browser says nothing"
            piece = os.read(self.reading, 1 << 20)
            assert piece, "the browser has ended"
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)


class Tab:
    """requests: what it has asked for; complaints: errors, and what was logged."""

    def __init__(self, browser, width=1280, height=900, dark=False):
        self.browser = browser
        self.requests, self.complaints, self.loaded = [], [], 0
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target,
                                    flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AssertionError, OSError):
            self.browser.call("Target.closeTarget", targetId=self.target)

    def call(self, method, **parameters):
        return self.browser.call(method, self, **parameters)

    def note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded += 1
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(parameters["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])

    def open(self, path):
        loaded = self.loaded
        self.call("Page.navigate", url=f"file://{os.path.abspath(path)}")
        while self.loaded == loaded:
            event = self.browser.read()
            if event.get("sessionId") == self.session:
                self.note(event)

    def run(self, script):
        """The value of an expression in the page; of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{script}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def key(self, key, modifiers=0):
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40}
        if key in codes:
            text["windowsVirtualKeyCode"] = codes[key]
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def mouse(self, *points):
        """Presses at the first point, moves over the others and lets go at the last."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=points[0][0], y=points[0][1])
        self.call("Input.dispatchMouseEvent", type="mousePressed", button="left", clickCount=1,
                  x=points[0][0], y=points[0][1])
        for x, y in points[1:]:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, x=x,
                      y=y)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1,
                  x=points[-1][0], y=points[-1][1])

    def picture(self, path, whole=False):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(data))
