# sluice/postgres:15: stands in for postgres:15 where that cannot be pulled: same port, user, volume, POSTGRES_DB and
# POSTGRES_PASSWORD_FILE, from Debian's packages. Build context: a directory with postgres-entrypoint.
FROM debian:bookworm-slim
# Without this Debian would make a cluster of its own while it installs.
RUN mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
    && apt-get update && apt-get install -y --no-install-recommends postgresql-15 && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data
COPY postgres-entrypoint /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data
USER postgres
VOLUME /var/lib/postgresql/data
EXPOSE 5432
# Fast shutdown: connections are ended, not waited for.
STOPSIGNAL SIGINT
ENTRYPOINT ["postgres-entrypoint"]
CMD ["postgres"]
