"""The naive Flask app, as tutorials build it: request.files, the whole file in memory, base64 in a task's message.

    cd benchmarks/peers && gunicorn --no-control-socket -k gthread --threads 8 -b 127.0.0.1:PORT 'naive:create_app()'
    cd benchmarks/peers && celery -A naive.celery worker -l info          (its log says 'ready.' when it is)

Start the web process first: it makes the tables. Environment: S3_ENDPOINT_URL, S3_BUCKET_NAME, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION; DATABASE_URL (SQLAlchemy's form), CELERY_BROKER_URL.
All settings of Flask, boto3, SQLAlchemy and Celery are the defaults. Better than in most tutorials: there
is one S3 client, not one per request, and the thread gets an app context.
"""

from __future__ import annotations

import base64
import os
import threading
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

import boto3
from celery import Celery
from flask import Flask, abort, request
from flask_sqlalchemy import SQLAlchemy
from werkzeug.datastructures import FileStorage
from werkzeug.utils import secure_filename

db = SQLAlchemy()
celery = Celery("naive", broker=os.environ.get("CELERY_BROKER_URL"))


class File(db.Model):  # type: ignore[name-defined,misc]
    """One upload."""

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(255))
    url = db.Column(db.String(512))
    upload_status = db.Column(db.String(16), default="PENDING")

    def as_dict(self) -> dict[str, Any]:
        """Return the response of the status endpoint."""
        return {"id": self.id, "name": self.name, "url": self.url, "upload_status": self.upload_status}


@cache
def s3() -> Any:
    """The client, created on first use."""
    region = os.environ.get("AWS_REGION", "us-east-1")
    return boto3.client("s3", endpoint_url=os.environ.get("S3_ENDPOINT_URL"), region_name=region)


def send(stream: Any, row: File) -> None:
    """Upload the stream and mark the row."""
    row.upload_status = "PROCESSING"
    db.session.commit()
    bucket = os.environ["S3_BUCKET_NAME"]
    try:
        s3().upload_fileobj(stream, bucket, row.name)
    except Exception:
        row.upload_status = "ERROR"
        db.session.commit()
        raise
    row.url = f"{os.environ.get('S3_ENDPOINT_URL')}/{bucket}/{row.name}"
    row.upload_status = "COMPLETE"
    db.session.commit()


def send_text(row_id: int, text: str) -> None:
    """Decode the text and upload it: what the thread and the task do."""
    row = db.session.get_one(File, row_id)
    send(BytesIO(base64.b64decode(text)), row)


@celery.task(name="naive.upload_task")  # type: ignore[untyped-decorator]
def upload_task(row_id: int, text: str) -> None:
    """Celery's part: the file comes as text in the message."""
    with worker_app().app_context():
        send_text(row_id, text)


@cache
def worker_app() -> Flask:
    """The app of a worker process."""
    return create_app()


def upload_in_thread(app: Flask, row_id: int, text: str) -> None:
    """The thread's part."""
    with app.app_context():
        send_text(row_id, text)


def received() -> tuple[FileStorage, File]:
    """The file of the request and a new row for it."""
    sent = request.files["file"]
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
    row = File(name=f"{stamp}-{secure_filename(sent.filename or 'file')}")
    db.session.add(row)
    db.session.commit()
    return sent, row


def create_app() -> Flask:
    """The web application."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    with app.app_context():
        db.create_all()

    @app.post("/normal_upload")
    def normal_upload() -> tuple[dict[str, Any], int]:
        sent, row = received()
        send(sent, row)
        return row.as_dict(), 201

    @app.post("/async_upload")
    def async_upload() -> tuple[dict[str, Any], int]:
        sent, row = received()
        text = base64.b64encode(sent.read()).decode()
        threading.Thread(target=upload_in_thread, args=(app, row.id, text)).start()
        return row.as_dict(), 202

    @app.post("/celery_upload")
    def celery_upload() -> tuple[dict[str, Any], int]:
        sent, row = received()
        upload_task.delay(row.id, base64.b64encode(sent.read()).decode())
        return row.as_dict(), 202

    @app.get("/files/<int:row_id>")
    def status(row_id: int) -> dict[str, Any]:
        row = db.session.get(File, row_id)
        return row.as_dict() if row else abort(404)

    @app.get("/constant")
    def constant() -> dict[str, Any]:
        return {"id": 1, "name": "constant", "url": None, "upload_status": "COMPLETE"}

    return app
