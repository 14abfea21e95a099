package httpapi_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// It takes as long as a body may take, 5 seconds.
func TestBodyThatDoesNotArriveIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	api, _ := newAPI(t)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT /things/1 HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := text(t, res); res.StatusCode != 408 || !strings.Contains(got, "/problems/request-timeout") {
		t.Errorf("got %d %s, want 408", res.StatusCode, got)
	}
}
