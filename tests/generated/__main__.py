from tests.generated import completions, readme

for path, text in {**completions.files(), **readme.files()}.items():
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        print(f"rewrote {path.name}")
