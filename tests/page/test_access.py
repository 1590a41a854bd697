"""For everyone: axe-core, the keyboard, screen readers, phones, less motion."""

from __future__ import annotations

import itertools
import re

import pytest
from test_page import listen, stop, until


def clean(page):
    """axe-core finds nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python (extra dev)")
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("fake", [{"models": ("compact", "compact-open")}], indirect=True)
def test_axe_is_content(site, scheme):
    page = site.open(color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    clean(page)
    page.check("#models input[value=compact-open]")
    listen(page, answers=12, seconds=4)
    clean(page)
    page.click("[data-view=label]")
    clean(page)
    stop(page)
    page.click("#as-table summary")
    clean(page)
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")
    page.click("#why summary")
    clean(page)
    page.click("#why-close")
    page.click("#label-open")
    for key in "14":
        page.keyboard.press(key)
    clean(page)
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    clean(page)


def test_a_phone_needs_no_sideways_scrolling(site):
    page = site.open(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2)

    def fits():
        widest = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        assert widest <= 360
        beyond = page.evaluate(
            "[...document.querySelectorAll('button, p, h2, h3, label, select')]"
            ".filter(n => n.checkVisibility() && !n.closest('.unseen, .scroll'))"
            ".filter(n => n.getBoundingClientRect().right > 352)"
            ".map(n => n.outerHTML.slice(0, 80))"
        )
        assert beyond == []

    def in_sight():
        for place in (10_000, 0):
            page.evaluate(f"window.scrollTo(0, {place})")
            box = page.locator("#listen").bounding_box()
            assert box["y"] >= 0, "the one button to press is in sight, wherever one has scrolled"
            assert box["y"] + box["height"] <= 740

    fits()
    in_sight()
    for button in page.locator("#listen, #record, #open").all():
        assert button.bounding_box()["height"] >= 44
    listen(page, answers=4, seconds=2)
    fits()
    in_sight()
    stop(page)
    fits()
    page.click("#why-open")
    page.wait_for_selector("canvas.tiles")
    page.click("#why summary")
    fits()
    page.click("#label-open")
    page.keyboard.press("1")
    fits()


def test_everything_can_be_done_from_the_keyboard(site):
    page = site.open()
    page.keyboard.press("l")
    until(page, "Number(document.querySelector('#latency').dataset.count) >= 4")
    page.keyboard.press("l")
    page.wait_for_selector("#after:not([hidden])")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.id || document.activeElement.dataset?.save || document.activeElement.tagName,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.add(name)
        assert outline != "none", f"{name} has the focus, and does not show it"
        if name == "A":
            break
    assert reached >= {"theme", "help-open", "listen", "record", "open", "near", "far", "fit", "ribbon", "play"}
    assert reached >= {"why-open", "label-open", "session", "wav", "json", "csv", "srt", "example"}
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("l")
    page.wait_for_timeout(200)
    assert page.inner_text("#listen") == "Listen", "single keys can be switched off"


@pytest.mark.parametrize("fake", [{"models": ("compact", "compact-open")}], indirect=True)
def test_the_focus_stays_with_who_uses_the_keyboard(site):
    page = site.open()
    focused = "document.activeElement.id || document.activeElement.textContent"

    def press(selector, expected, phase="idle", key="Enter"):
        page.focus(selector)
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        until(page, f"document.body.dataset.phase === '{phase}'")
        page.wait_for_timeout(100)
        assert page.evaluate(focused).startswith(expected), selector

    press("#example", "example")
    press("#listen", "listen", phase="live")
    press("#listen", "listen")
    press("#record", "record")
    press(".tab:first-child button", "example.mp3")
    press("#label-open", "labelling-title")
    press("#labels-close", "label-open")
    press("#label-open", "labelling-title")
    press("#labelling-title", "label-open", key="Escape")
    press(".tab:first-child button:last-child", "×")
    page.on("dialog", lambda dialog: dialog.accept())
    press(".tab:first-child button:last-child", "ribbon")


def test_forced_colours_and_paper_keep_what_only_a_background_tells(site):
    page = site.open(forced_colors="active", color_scheme="dark")
    page.click("#example")
    page.wait_for_selector("#after:not([hidden])")
    colours = (
        "[...document.querySelectorAll('.bars i, .legend .dot, #connection .dot, #level i')]"
        ".map((node) => getComputedStyle(node)).map((style) => style.backgroundImage + style.backgroundColor)"
    )
    forced = page.evaluate(colours)
    page.emulate_media(forced_colors="none")
    assert forced == page.evaluate(colours)
    page.emulate_media(forced_colors="active")
    outlines = "[...document.querySelectorAll('#view button')].map((node) => getComputedStyle(node).outlineStyle)"
    assert page.evaluate(outlines) == ["none", "solid"], "which view it is"
    page.emulate_media(media="print", forced_colors="none", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.querySelector('.panel')).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.bars i')).printColorAdjust") == "exact"
    assert not any(button.is_visible() for button in page.locator("button").all())


@pytest.mark.slow
def test_the_live_region_is_not_chatty(site):
    page = site.open()
    page.evaluate(
        "window.said = []; new MutationObserver(() => said.push([performance.now(), announcer.textContent]))"
        ".observe(announcer, {childList: true, characterData: true, subtree: true})"
    )
    listen(page, answers=20, seconds=12)
    stop(page)
    page.wait_for_timeout(4_100)
    said = page.evaluate("said")
    assert 1 <= len(said) <= 5
    assert all(later[0] - sooner[0] >= 3_900 for sooner, later in itertools.pairwise(said))
    assert re.match(r"compact: \w+", said[-1][1]), "the last word is about the whole session"


def test_the_theme_follows_the_system_until_it_is_chosen(site):
    page = site.open(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    page.wait_for_selector("#connection[data-state=ready]")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


@pytest.mark.parametrize(
    "trouble",
    [
        "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name,"
        " { get() { throw new DOMException('Access is denied', 'SecurityError'); } });",
        "Storage.prototype.setItem = () => { throw new DOMException('It is full', 'QuotaExceededError'); };",
    ],
    ids=["blocked", "full"],
)
@pytest.mark.parametrize("fake", [{"token": "a-token-that-is-long-enough"}], indirect=True)
def test_what_the_browser_does_not_store_is_remembered_until_the_page_is_closed(site, trouble):
    page = site.open(ready=False)
    page.context.add_init_script(trouble)
    page.reload()
    page.wait_for_selector("#token[open]")
    page.fill("#token-value", site.fake.token)
    page.keyboard.press("Enter")
    page.wait_for_selector("#connection[data-state=ready]")
    page.click("#theme")
    page.click("[data-view=label]")
    assert not page.is_visible(".bars")
    page.click("#help-open")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    listen(page)
    stop(page)
    site.problems[:] = [one for one in site.problems if "status of 401" not in one]


def test_less_motion_where_it_is_asked_for(site):
    page = site.open(reduced_motion="reduce")
    assert page.eval_on_selector(".arc", "n => getComputedStyle(n).transitionDuration") in ("0s", "1e-05s")
