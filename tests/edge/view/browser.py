"""Chromium, driven through its DevTools protocol: no driver and no package besides websockets."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One page of a headless Chromium.

    Attributes:
        errors: what the page wrote to its console as errors or warnings, and what it threw.
    """

    def __init__(self, folder: Path) -> None:
        command = [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
            "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        port_file = folder / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not port_file.is_file() or len(port_file.read_text().splitlines()) < 2:
            assert time.monotonic() < end, "Chromium does not start"
            time.sleep(0.05)
        port, path = port_file.read_text().splitlines()
        self._socket = connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None)
        self._numbers, self._session = itertools.count(1), ""
        self.errors: list[str] = []
        target = next(
            each for each in self.send("Target.getTargets")["targetInfos"] if each["type"] == "page"
        )
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        self._session = ""
        self.send("Browser.close")
        self._socket.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def send(self, method: str, **given: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._numbers)
        call: dict[str, Any] = {"id": number, "method": method, "params": given}
        if self._session:
            call["sessionId"] = self._session
        self._socket.send(json.dumps(call))
        while True:
            found = json.loads(self._socket.recv(60))
            self._note(found)
            if found.get("id") == number:
                assert "error" not in found, found["error"]
                result: dict[str, Any] = found["result"]
                return result

    def _note(self, found: dict[str, Any]) -> None:
        given = found.get("params", {})
        if found.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(given["exceptionDetails"]))
        elif found.get("method") == "Runtime.consoleAPICalled":
            if given["type"] in ("error", "warning", "assert"):
                self.errors.append(json.dumps(given["args"]))
        elif found.get("method") == "Log.entryAdded":
            entry = given["entry"]
            if entry["level"] in ("error", "warning"):
                self.errors.append(f"{entry['text']} {entry.get('url', '')}")

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def window(self, width: int, height: int, dark: bool = False) -> None:
        """Give the page a size; 500 pixels and less are a phone."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width <= 500,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, awaited."""
        found = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 30.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"!!({script})"):
            assert time.monotonic() < end, f"never: {script}"
            time.sleep(0.05)

    def mouse(self, kind: str, x: float, y: float, count: int = 1) -> None:
        pressed = {"button": "left", "clickCount": count} if kind != "Moved" else {"buttons": 1}
        self.send("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **pressed)

    def click(self, x: float, y: float) -> None:
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y)
        self.mouse("Released", x, y)

    def double_click(self, x: float, y: float) -> None:
        self.click(x, y)
        self.mouse("Pressed", x, y, 2)
        self.mouse("Released", x, y, 2)

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("Moved", *begin)
        self.mouse("Pressed", *begin)
        for step in (0.3, 0.7, 1.0):
            self.mouse("Moved", *(a + step * (b - a) for a, b in zip(begin, end, strict=True)))
        self.mouse("Released", *end)

    def click_on(self, selector: str) -> None:
        """Click the middle of an element, scrolled into view."""
        self.click(*self.place(selector))

    def place(self, selector: str, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
        """A point of an element, as shares of its box, scrolled into view."""
        found = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            f" return [b.left + {x} * b.width, b.top + {y} * b.height]; }})()"
        )
        return found[0], found[1]

    def press(self, key: str) -> None:
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32, "ArrowRight": 39, "ArrowDown": 40,
                 "ArrowLeft": 37, "ArrowUp": 38, "Delete": 46}  # fmt: skip
        given = {"key": key, "code": "Space" if key == " " else key,
                 "windowsVirtualKeyCode": codes[key]}  # fmt: skip
        text = {" ": " ", "Enter": "\r"}.get(key)
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.send("Input.dispatchKeyEvent", **down, **given)
        self.send("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def picture(self, file: Path) -> None:
        """A screenshot of the whole page, .png."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(data))
