# Penstock as an image: one program, no root, nothing in the image is ever written.
#
#   docker build -t penstock .
#   docker build -t penstock --build-arg TARGET=linux-x64-baseline .     for processors without AVX2

FROM node:22.17.0-bookworm AS build
WORKDIR /penstock
# What is installed changes seldom, so it comes first and is kept.
COPY tools/bun/ tools/bun/
COPY package.json bun.lock ./
RUN sh tools/bun/run.sh --version
COPY . .
ARG TARGET=""
RUN sh tools/bun/run.sh run build:native \
 && if [ -z "$TARGET" ]; then sh tools/bun/run.sh run build; \
    else sh tools/bun/run.sh run build --target "$TARGET" && mv "dist/penstock-$TARGET" dist/penstock; fi

FROM debian:12.11-slim
# Certificates of authorities, to know the exchange by.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/penstock
COPY --from=build /penstock/dist/penstock /usr/local/bin/penstock
USER 10001:10001
# Libraries within the program are put under XDG_CACHE_HOME, which therefore must not be mounted noexec.
ENV DATA_DIR=/var/lib/penstock HOME=/var/lib/penstock XDG_CACHE_HOME=/var/lib/penstock/cache LOG_FORMAT=json
WORKDIR /var/lib/penstock
VOLUME /var/lib/penstock
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=180s --retries=3 CMD ["penstock", "health"]
ENTRYPOINT ["penstock"]
CMD ["run", "--speed", "real"]
