# call SERVICE/METHOD REQUEST: one call of the API with grpcurl. The server is SRE_EDGE_TARGET; with
# SRE_EDGE_CA the call is made over TLS, with SRE_EDGE_TOKEN_FILE it carries the token.
options=(-plaintext)
[ -z "${SRE_EDGE_CA:-}" ] || options=(-cacert "$SRE_EDGE_CA")
[ -z "${SRE_EDGE_TOKEN_FILE:-}" ] || options+=(-H "authorization: Bearer $(cat "$SRE_EDGE_TOKEN_FILE")")

call() {
  grpcurl -connect-timeout 5 "${options[@]}" -d "$2" "${SRE_EDGE_TARGET:-localhost:50051}" "sre_edge.v1.$1"
}
