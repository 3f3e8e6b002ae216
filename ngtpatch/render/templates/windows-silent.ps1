{#
# SPDX-License-Identifier: Apache-2.0
summary = "Install NGT silently in a Windows guest from the disc that bears NGT's label"

[parameters.label]
type = "string"
default = "NUTANIX_TOOLS"
help = "volume label of the disc"

[parameters.service]
type = "string"
default = "Nutanix Guest*Agent"
help = "display name of the agent's service, with wildcards"

[parameters.service_timeout]
type = "integer"
default = 180
help = "seconds to wait for the service"
#}
# Installs Nutanix Guest Tools silently from the disc that bears its label.
# Windows needs no rebuilt ISO: its half of the disc is the vendor's, byte for byte.
#
# Exit codes: 0 installed; 10 no disc with the label; 14 setup.exe failed; 15 the agent's
# service did not start; 3010 installed, and Windows wants to be restarted.
#
# From: ngtpatch render windows-silent.ps1
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Label = {{ label | powershell }}
$Service = {{ service | powershell }}
$Timeout = {{ service_timeout | powershell }}

# By label, not by letter. DriveType 5 is a compact disc (Win32_LogicalDisk).
$Disc = Get-CimInstance -ClassName Win32_LogicalDisk |
    Where-Object { $_.DriveType -eq 5 -and $_.VolumeName -eq $Label } |
    Select-Object -First 1
if (-not $Disc) {
    Write-Host "no disc is labelled $Label"
    exit 10
}

$Setup = Join-Path -Path ($Disc.DeviceID + '\') -ChildPath 'setup.exe'
Write-Host "running $Setup"
$Run = Start-Process -FilePath $Setup -ArgumentList '/quiet', 'ACCEPTEULA=yes', '/norestart' -Wait -PassThru
# 3010 is ERROR_SUCCESS_REBOOT_REQUIRED of Windows Installer.
if ($Run.ExitCode -notin 0, 3010) {
    Write-Host "setup.exe failed with exit code $($Run.ExitCode)"
    exit 14
}

$Deadline = (Get-Date).AddSeconds($Timeout)
while (-not (Get-Service -DisplayName $Service -ErrorAction SilentlyContinue |
        Where-Object { $_.Status -eq 'Running' })) {
    if ((Get-Date) -gt $Deadline) {
        Write-Host "no service '$Service' runs after $Timeout seconds"
        exit 15
    }
    Start-Sleep -Seconds 2
}
Write-Host 'installed'
exit $Run.ExitCode
