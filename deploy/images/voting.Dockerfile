# sluice/voting: the voting application, one image with a program for each of its services. Build context: a directory
# with the binaries `vote`, `result` and `worker`.
FROM scratch
COPY vote result worker /
USER 65534:65534
EXPOSE 8080
CMD ["/vote"]
