"""Files that the dashboard shows with a study."""

import tempfile
from pathlib import Path

from optuna import Study
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact


def attached(study: Study, folder: Path) -> dict[str, str]:
    """The artifacts of a study by file name, each an id; those whose files are gone left out."""
    return {
        meta.filename: meta.artifact_id
        for meta in get_all_artifact_meta(study)
        if (folder / meta.artifact_id).is_file()
    }


def attach(study: Study, folder: Path, name: str, content: bytes) -> None:
    """Attach a file, in place of the one of the same name if there is one.

    Its id, and so its URL, stays the same. Raises OSError where `folder` cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = {meta.filename: meta.artifact_id for meta in get_all_artifact_meta(study)}
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        file = Path(unfinished) / name
        file.write_bytes(content)
        if name in known:
            # At once, as somebody may be reading the one of before.
            file.replace(folder / known[name])
        else:
            store = FileSystemArtifactStore(folder)
            upload_artifact(study_or_trial=study, file_path=str(file), artifact_store=store)
