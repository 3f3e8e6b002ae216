# SPDX-License-Identifier: Apache-2.0
"""What a program that talks to Prism Central has imported and built when it comes to work.

Importing this module is all: :mod:`tests.zygote` does, before the commands are forked from it.
"""

import boto3
import ntnx_prism_py_client
import ntnx_vmm_py_client
from botocore.config import Config

import ngtpatch.fleet.audit
import ngtpatch.fleet.inject
import ngtpatch.fleet.tasks
import ngtpatch.flow.rebuild
import ngtpatch.prism_central.push_fleet  # noqa: F401

_NOBODY = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
_STYLE = Config(s3={"addressing_style": "path"})
boto3.client("s3", endpoint_url="https://localhost", config=_STYLE, **_NOBODY)
for sdk in (ntnx_vmm_py_client, ntnx_prism_py_client):
    configuration = sdk.Configuration()
    configuration.host = "localhost"
    sdk.ApiClient(configuration=configuration)
