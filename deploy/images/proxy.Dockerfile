# sluice/proxy: HAProxy and the program that configures it. Build context: a directory with the binary `proxy`.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN apt-get update && apt-get install -y --no-install-recommends haproxy && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && install -d -m 0755 /var/lib/sluice
COPY proxy /usr/local/bin/proxy

# The supervisor is PID 1 and stays root: it reads /var/run/docker.sock (root:docker, 0660, with a group id that differs
# from machine to machine) and starts HAProxy, which binds its ports and drops to the user haproxy by itself. With
# DOCKER_HOST=tcp://… (a socket proxy) nothing here needs root but that drop.
VOLUME /var/lib/sluice
EXPOSE 80 443 8080
# A probe costs about 0.1 s of a core, and on a machine that is short of cores it waits: what serves must not be ended for
# that. Until the first one has passed the swarm calls the task "starting".
HEALTHCHECK --interval=5s --timeout=20s --start-period=10s --retries=5 CMD ["proxy", "health"]
ENTRYPOINT ["proxy"]
CMD ["run"]
