# One image for every role; the command says which: worker, sink, market, topics.
FROM python:3.12.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md ./
COPY schemas schemas
COPY risk risk
COPY streams streams
COPY sinks sinks
# The locked versions, without what only development and embedded runs need.
RUN sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' requirements.lock > /tmp/constraints.txt \
    && python -m venv /opt/plimsoll \
    && PIP_CONSTRAINT=/tmp/constraints.txt /opt/plimsoll/bin/pip install --no-cache-dir .
# Compiled here, so that no container does it at its start.
RUN /opt/plimsoll/bin/plimsoll compile

FROM python:3.12.12-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent plimsoll
COPY --from=build /opt/plimsoll /opt/plimsoll
ENV PATH=/opt/plimsoll/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["plimsoll"]
CMD ["--help"]
