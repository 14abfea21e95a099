# One image for all programs: the command chooses (/usr/local/bin/api, worker, orders, catalog, notifier, stripesim, ops).
#
# The programs are static and need only the certificate authorities, so the image holds nothing else: no shell, no package
# manager. They run as an unprivileged user and write no files.

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY saga/go.mod saga/go.sum ./saga/
COPY saga/participant/go.mod saga/participant/go.sum ./saga/participant/
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The repository is not in the build context, so Go cannot stamp the version: docker build --build-arg VERSION=v0.1.0
ARG VERSION
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath \
    -ldflags="-s -w -X github.com/ordersaga/ordersaga/internal/program.version=$VERSION" -o /out/ \
    ./cmd/api ./cmd/worker ./cmd/catalog ./cmd/notifier ./cmd/stripesim ./cmd/ops ./cmd/orders ./cmd/healthcheck

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /usr/local/bin/
USER 65532:65532
CMD ["/usr/local/bin/api", "--help"]
