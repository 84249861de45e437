"""Writes what follows from the code anew: `python -m deploy.kubernetes`."""

from deploy.kubernetes.generated import DEPLOY, files

if __name__ == "__main__":
    for name, text in files().items():
        (DEPLOY / name).write_text(text)
