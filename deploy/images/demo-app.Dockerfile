# sluice/demo-app: the sample service. Build context: a directory with the binary `demo-app`. No HEALTHCHECK: the swarm
# calls a task running as soon as it is started, which is when the proxy may send to it.
FROM scratch
COPY demo-app /demo-app
USER 65534:65534
EXPOSE 8080
ENTRYPOINT ["/demo-app"]
