# SPDX-License-Identifier: Apache-2.0
"""Small installers in our own words, behaving as the project's notes on NGT describe."""

from textwrap import dedent

FACTORY = dedent(
    '''\
    """Chooses what installs the tools here."""
    import distro
    import sys


    def get_linux_installer():
      distribution = distro.linux_distribution()[0].lower()
      if ("centos" in distribution or
          "oracle linux server" in distribution or
          "red hat" in distribution):
        # One installer serves the whole family.
        from redhat_installer import RedhatInstaller as LinuxInstaller
      elif "ubuntu" in distribution:
        from ubuntu_installer import UbuntuInstaller as LinuxInstaller
      elif "suse" in distribution:
        from suse_installer import SuseInstaller as LinuxInstaller
      else:
        print("Unsupported distribution : " + distribution)
        sys.exit(1)
      print("Using Linux Installer for %s linux distribution." % distribution)
      return LinuxInstaller()
    '''
)

UNINSTALLER = dedent(
    """\
    import distro
    import shutil


    def uninstall_ngt_daemon_redhat():
      print("chkconfig --del")


    def uninstall_ngt_daemon_ubuntu():
      print("update-rc.d remove")


    if __name__ == "__main__":
      try:
        distribution = distro.linux_distribution()[0].lower()
        if ("centos" in distribution or
            "oracle linux server" in distribution or
            "red hat" in distribution or
            "suse" in distribution):
          uninstall_ngt_daemon_redhat()
        elif "ubuntu" in distribution:
          uninstall_ngt_daemon_ubuntu()
        else:
          print("Unsupported distribution. Skipping the service.")
      except:
        pass
      print("Removed.")
    """
)

ROOT = "installer/linux/"


def tree(
    factory: str | bytes | None = FACTORY, uninstaller: str | bytes | None = UNINSTALLER
) -> dict[str, bytes]:
    """Return an image's files with these two deciding."""
    files: dict[str, str | bytes | None] = {
        ROOT + "install_ngt.py": "import src.installer_factory\n",
        ROOT + "src/installer_factory.py": factory,
        ROOT + "uninstall_ngt.py": uninstaller,
        "config/ngt_config.json": '{"ngt_version": "2.0.1"}',
    }
    return {
        path: text.encode() if isinstance(text, str) else text
        for path, text in files.items()
        if text is not None
    }
