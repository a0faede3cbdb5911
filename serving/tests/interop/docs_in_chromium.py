"""Opens a replica's `/docs` in headless Chromium, tries a prediction through its form, and says what the browser complained of.

    python docs_in_chromium.py http://127.0.0.1:8000 [folder for screenshots]

Needs `selenium` from PyPI, and Debian's `chromium` and `chromium-driver`.
"""

import json
import pathlib
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as until
from selenium.webdriver.support.ui import WebDriverWait

EXPECTED = 321.3070728214188
ROW = {"feature1": 5.3, "feature2": 2.1, "feature3": 0.8}
DESK, PHONE = (1280, 1400), (390, 844)


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def picture(driver, folder, name, size):
    if folder:
        driver.set_window_size(*size)
        driver.save_screenshot(str(folder / f"{name}.png"))


def complaints(driver):
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def foreign(driver, base):
    """Returns every address that was asked besides the replica's own."""
    asked = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    return [url for url in asked if not url.startswith((base, "data:", "chrome:"))]


def try_swagger_ui(driver, wait, base, folder):
    driver.get(f"{base}/docs")
    wait.until(until.presence_of_element_located((By.CSS_SELECTOR, ".opblock")))
    picture(driver, folder, "docs", DESK)
    block = driver.find_element(By.ID, "operations-predict-predict")
    block.find_element(By.CSS_SELECTOR, ".opblock-summary").click()
    area = wait.until(until.presence_of_element_located((By.CSS_SELECTOR, "#operations-predict-predict textarea.body-param__text")))
    example = json.loads(area.get_attribute("value"))
    assert set(example) == set(ROW), f"the form does not begin with a row of the model: {example}"
    # As a person would: through the keyboard, since the page keeps its own copy of the text.
    area.clear()
    area.send_keys(json.dumps(ROW))
    block.find_element(By.CSS_SELECTOR, "button.execute").click()
    wait.until(until.presence_of_element_located((By.CSS_SELECTOR, "#operations-predict-predict .live-responses-table .response-col_status")))
    status = block.find_element(By.CSS_SELECTOR, ".live-responses-table tbody .response-col_status").text
    text = block.find_element(By.CSS_SELECTOR, ".live-responses-table tbody .highlight-code, .live-responses-table tbody pre").text
    assert status.split()[0] == "200" and str(EXPECTED) in text, (status, text)
    picture(driver, folder, "docs-tried", (1280, 2600))
    picture(driver, folder, "docs-phone", PHONE)


def try_short_page(driver, wait, base, folder):
    driver.get(f"{base}/redoc")
    wait.until(lambda driver: driver.find_element(By.ID, "body").get_attribute("value"))
    area = driver.find_element(By.ID, "body")
    area.clear()
    area.send_keys(json.dumps(ROW))
    driver.find_element(By.ID, "send").click()
    wait.until(lambda driver: str(EXPECTED) in driver.find_element(By.ID, "answer").text)
    picture(driver, folder, "redoc", DESK)


def main():
    base = sys.argv[1].rstrip("/")
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    driver = browser()
    try:
        wait = WebDriverWait(driver, 60)
        try_swagger_ui(driver, wait, base, folder)
        try_short_page(driver, wait, base, folder)
        complained, elsewhere = complaints(driver), foreign(driver, base)
    finally:
        driver.quit()
    assert not complained, complained
    assert not elsewhere, elsewhere
    print("fine")


main()
