package costsheet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// tap forwards connections to the server in rawURL, reads along what the clients send, and returns the URL with its own
// address. read is called for each connection, and returns an error once the connection ends.
func (m *Meter) tap(rawURL string, read func(*bufio.Reader) error) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	target := u.Host
	u.Host, err = listen(func(l net.Listener) error {
		m.atClose(l.Close)
		for {
			client, err := l.Accept()
			if err != nil {
				return err
			}
			go forward(client, target, read)
		}
	})
	return u.String(), err
}

func forward(client net.Conn, target string, read func(*bufio.Reader) error) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer client.Close()
		_, _ = io.Copy(client, server)
	}()
	sent := io.TeeReader(client, server)
	_ = read(bufio.NewReader(sent))
	_, _ = io.Copy(io.Discard, sent) // forward even what cannot be read along
}

// frame reads a message, unless it is longer than any that the programs send.
func frame(r io.Reader, length int) ([]byte, error) {
	const most = 64 << 20
	if length < 0 || length > most {
		return nil, io.ErrUnexpectedEOF
	}
	message := make([]byte, length)
	_, err := io.ReadFull(r, message)
	return message, err
}

// outcomes is in the api's query for the outcomes that requests wait for. It polls: how often depends on the machine.
const outcomes = "(o.status <> 'PENDING' OR o.closing)"

// PostgreSQL counts SQL statements and their round trips, without the preparation of statements. Connections must not be
// encrypted (sslmode=disable).
func (m *Meter) PostgreSQL(rawURL string) (string, error) {
	return m.tap(rawURL, func(r *bufio.Reader) error {
		client := pgproto3.NewBackend(r, nil)
		if _, err := client.ReceiveStartupMessage(); err != nil {
			return err
		}
		// The server's requests for the password are not read, only the client's responses.
		if err := client.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
			return err
		}
		prepared := map[string]string{} // SQL by the statement's name
		pending := false                // statements were sent, but nothing asked for their results
		for {
			message, err := client.Receive()
			if err != nil {
				return err
			}
			asked := false
			switch v := message.(type) {
			case *pgproto3.SASLInitialResponse:
				if err := client.SetAuthType(pgproto3.AuthTypeSASLContinue); err != nil {
					return err
				}
			case *pgproto3.Parse:
				prepared[v.Name] = v.Query
			case *pgproto3.Bind:
				pending = m.statement(prepared[v.PreparedStatement]) || pending
			case *pgproto3.Query:
				pending, asked = m.statement(v.String) || pending, true
			case *pgproto3.Sync:
				asked = true
			}
			if pending && asked {
				m.add(RoundTrips, "")
				pending = false
			}
		}
	})
}

// statement counts a statement, and reports false if it polls.
func (m *Meter) statement(sql string) bool {
	if strings.Contains(sql, outcomes) {
		return false
	}
	const shown = 60
	words := strings.Join(strings.Fields(sql), " ")
	m.add(Statements, words[:min(shown, len(words))])
	return true
}

// MongoDB counts store operations.
func (m *Meter) MongoDB(rawURL string) (string, error) {
	const opMsg, header = 2013, 16
	connection := []string{"hello", "isMaster", "ismaster", "ping", "endSessions"} // commands that belong to the connection
	return m.tap(rawURL, func(r *bufio.Reader) error {
		for {
			var head struct{ Length, Request, Response, Code int32 }
			if err := binary.Read(r, binary.LittleEndian, &head); err != nil {
				return err
			}
			message, err := frame(r, int(head.Length)-header)
			if err != nil {
				return err
			}
			// Flags (4 bytes), the section's kind (1), the document's length (4), its first value's type (1), which is
			// the command, and the command's name.
			const name = 10
			if head.Code != opMsg || len(message) < name {
				continue
			}
			command, _, _ := bytes.Cut(message[name:], []byte{0})
			if !slices.Contains(connection, string(command)) {
				m.add(StoreOperations, string(command))
			}
		}
	})
}

// RabbitMQ counts published messages.
func (m *Meter) RabbitMQ(rawURL string) (string, error) {
	const protocolHeader, method = 8, 1
	publish := []byte{0, 60, 0, 40} // class basic, method publish
	return m.tap(rawURL, func(r *bufio.Reader) error {
		if _, err := r.Discard(protocolHeader); err != nil {
			return err
		}
		for {
			var head struct {
				Kind    uint8
				Channel uint16
				Length  uint32
			}
			if err := binary.Read(r, binary.BigEndian, &head); err != nil {
				return err
			}
			message, err := frame(r, int(head.Length)+1) // and a byte that ends the frame
			if err != nil {
				return err
			}
			if head.Kind == method && bytes.HasPrefix(message, publish) {
				m.add(Publishes, "")
			}
		}
	})
}
