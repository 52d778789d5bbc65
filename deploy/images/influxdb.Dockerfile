# sluice/influxdb: stands in for influxdb:1.8.10 where that cannot be pulled: same port, volume and INFLUXDB_DB.
# Build context: a directory with the binary `influxd` and influxdb-entrypoint.
FROM debian:bookworm-slim
RUN useradd --system --uid 1500 --home-dir /var/lib/influxdb --create-home influxdb
COPY influxd influxdb-entrypoint /usr/local/bin/
ENV INFLUXDB_META_DIR=/var/lib/influxdb/meta \
    INFLUXDB_DATA_DIR=/var/lib/influxdb/data \
    INFLUXDB_DATA_WAL_DIR=/var/lib/influxdb/wal
USER influxdb
VOLUME /var/lib/influxdb
EXPOSE 8086
ENTRYPOINT ["influxdb-entrypoint"]
