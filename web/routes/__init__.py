"""The addresses of one message, of jobs and of the service; those of archives are in ``sluice.web.archives``."""
