# sluice/telegraf: stands in for telegraf:1.37.2 where that cannot be pulled; it has the plugins that the stack uses
# (inputs docker and haproxy, outputs influxdb and file). Build context: a directory with the binary `telegraf`.
FROM scratch
COPY telegraf /usr/bin/telegraf
USER 65534:65534
ENTRYPOINT ["/usr/bin/telegraf"]
