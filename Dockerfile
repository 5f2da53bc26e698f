# syntax=docker/dockerfile:1
# Salinan as one static binary in an empty image.
#
#   docker build -t salinan .
#   docker run --rm -p 8443:8443 -v ./site:/salinan:ro -v ledger:/salinan/ledger salinan
#
# `/salinan` is the folder of the configuration: mount your own `salinan.toml`, `policies/` and `certs/` there, and an
# empty `ledger/` as the place of the volume, which must last and be writable by user 65532. The image holds no shell and no package manager, the
# shipped policies and the commented `salinan.toml` under `/usr/share/salinan`, and no key.

FROM rust:1.95.0-bookworm AS build
WORKDIR /build
# One target by name: a target's flags then do not reach build scripts and procedural macros. They go before those of
# .cargo/config.toml, so its processor stands here too.
ENV RUSTFLAGS="-C target-cpu=x86-64-v3 -C target-feature=+crt-static"
COPY . .
RUN cargo build --locked --release --target x86_64-unknown-linux-gnu \
    && install -D --mode=0755 target/x86_64-unknown-linux-gnu/release/salinan /out/usr/bin/salinan \
    && install -d --mode=0755 /out/usr/share/salinan \
    && cp -r policies salinan.toml LICENSE-APACHE LICENSE-MIT /out/usr/share/salinan/ \
    && install -d --owner=65532 --group=65532 --mode=0750 /out/salinan /out/salinan/ledger

FROM scratch
COPY --from=build /out /
USER 65532:65532
WORKDIR /salinan
EXPOSE 8443
ENTRYPOINT ["/usr/bin/salinan"]
CMD ["serve", "--config", "/salinan/salinan.toml"]
