"""The page (to be)."""
def build_page(plan):
    plan.page.parent.mkdir(parents=True, exist_ok=True); plan.page.write_text("x"); return [plan.page]
