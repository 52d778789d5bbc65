# sluice/scaler: one static binary. Build context: a directory with the binary `scaler`.
FROM debian:bookworm-slim AS parts
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN mkdir /var/lib/sluice

FROM scratch
COPY --from=parts /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=parts --chown=65534:65534 /var/lib/sluice /var/lib/sluice
COPY scaler /bin/scaler
# nobody. It may read /var/run/docker.sock only as a member of the group that owns the socket: run it with
# --user 65534:<that group id>, as deploy/tick/stack.yml does, or with DOCKER_HOST=tcp://… (a socket proxy).
USER 65534:65534
VOLUME /var/lib/sluice
EXPOSE 8081
# A probe costs about 0.1 s of a core, and on a machine that is short of cores it waits: what serves must not be ended for
# that. Until the first one has passed the swarm calls the task "starting".
HEALTHCHECK --interval=5s --timeout=10s --start-period=10s --retries=5 CMD ["scaler", "health"]
ENTRYPOINT ["scaler"]
CMD ["run"]
