"""The page in a real browser: opened from disk, on a desk and on a phone, by day and by night."""

import shutil

import pytest

from dlatlas.pages.page import build_page

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture
def browser(tmp_path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic",
        "--disable-component-update", "--disable-sync", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1280,900",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, plan):
    """The front page, opened from disk."""
    build_page(plan)
    browser.get(plan.page.resolve().as_uri())
    return browser


def visible(browser, key="title"):
    rows = "[...document.querySelectorAll('#studies tbody tr')].filter(r => r.offsetHeight)"
    word = "r.querySelector('.headline').textContent" if key == "title" else "r.dataset[arguments[0]]"
    return browser.execute_script(f"return {rows}.map(r => {word})", key)


def find(browser, selector):
    return browser.find_element("css selector", selector)


def test_it_opens_from_disk_without_a_complaint(opened, plan):
    assert opened.title == "The Deep Learning Theory Atlas"
    assert len(visible(opened)) == len(plan.names)
    loaded = "return [...document.images].every(i => { i.loading = 'eager'; return true })"
    assert opened.execute_script(loaded)
    assert opened.get_log("browser") == []


def test_the_filter_by_verdict_shows_only_those(opened, plan):
    find(opened, '.chip[data-value="contradicted"]').click()
    shown = visible(opened, "verdict")
    assert shown
    assert set(shown) == {"contradicted"}
    assert find(opened, "#count").text == f"{len(shown)} of {len(plan.names)} studies"
    find(opened, '.chip[data-value="contradicted"]').click()
    assert len(visible(opened)) == len(plan.names)


def test_search_looks_at_titles_papers_and_rows(opened, plan):
    box = find(opened, "#search")
    box.send_keys("kramers")
    assert visible(opened) == ["Noise turns being stuck into an exponential wait"]
    box.clear()
    box.send_keys("no such thing")
    assert visible(opened) == []
    assert find(opened, "#nothing").is_displayed()
    find(opened, "#clear").click()
    assert len(visible(opened)) == len(plan.names)


def test_sorting_by_runs_goes_both_ways(opened):
    def runs():
        return opened.execute_script(
            "return [...document.querySelectorAll('#studies tbody tr')].map(r => Number(r.dataset.runs))"
        )

    button = find(opened, '[data-sort="runs"]')
    button.click()
    assert runs() == sorted(runs())
    assert find(opened, "th.figure").get_attribute("aria-sort") == "ascending"
    button.click()
    assert runs() == sorted(runs(), reverse=True)


def test_a_study_s_page_shows_formula_and_figure(opened, plan):
    find(opened, "a.headline").click()
    width = opened.execute_script("return document.querySelector('figure img').naturalWidth")
    assert width > 300
    box = opened.execute_script(
        "const b = document.querySelector('math').getBoundingClientRect(); return [b.width, b.height]"
    )
    assert min(box) > 10
    assert opened.get_log("browser") == []


@pytest.mark.parametrize("page", ["index", "study"])
def test_a_phone_needs_no_sideways_scroll(opened, plan, page):
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    from selenium.webdriver.support.wait import WebDriverWait

    def fits(browser):
        script = "return document.documentElement.scrollWidth <= window.innerWidth && window.innerWidth == 360"
        return browser.execute_script(script)

    for name in ["index"] if page == "index" else plan.names:
        opened.get((plan.page.parent / f"{name}.html").resolve().as_uri())
        WebDriverWait(opened, 10).until(fits, name)  # laid out, not only loaded


def contrast(browser, selector):
    """The WCAG contrast ratio of an element's text against the page."""
    script = """
    const parse = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = (c) => { const [r, g, b] = parse(c).map((v) => { v /= 255;
        return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const a = light(getComputedStyle(document.querySelector(arguments[0])).color);
    const b = light(getComputedStyle(document.body).backgroundColor);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    """
    return browser.execute_script(script, selector)


TEXTS = ("body", ".meta", ".verdict.supported", ".verdict.contradicted", ".verdict.undecided", ".claims span")


def test_text_is_readable_by_day_and_by_night(opened):
    paper = {}
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        paper[scheme] = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
        for selector in TEXTS:
            assert contrast(opened, selector) >= 4.5, f"{scheme}: {selector}"
    assert paper["light"] != paper["dark"]


def test_it_works_without_a_mouse(opened):
    from selenium.webdriver.common.keys import Keys

    find(opened, "#search").send_keys(Keys.TAB, Keys.NULL)
    opened.switch_to.active_element.send_keys(Keys.SPACE)
    assert opened.switch_to.active_element.get_attribute("aria-pressed") == "true"
