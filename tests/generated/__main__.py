from tests.generated import completions, documents, man

# The man pages are made from the pages, so these are written first.
for make in (completions.files, documents.files, man.files):
    for path, text in make().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"rewrote {path.name}")
for path in man.stray():
    path.unlink()
    print(f"removed {path.name}")
