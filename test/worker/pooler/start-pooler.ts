import { createServer, connect as dial, type Socket } from 'node:net'
import { Messages } from './messages.ts'

/** A pooler in front of a server; its connection string is for whom the server's is. */
export interface Pooler extends AsyncDisposable {
  readonly connectionString: string
}

/** A connection to the server, and the clients that take turns on it. */
interface Session {
  readonly server: Socket
  readonly clients: Socket[]
  /** What the server said at log-in, after the password was right. */
  readonly welcome: Buffer[]
  isReady: boolean
  /** Answers that the client whose turn it is still waits for. */
  pending: number
  turn: Socket | undefined
  readonly waiting: (readonly [Socket, Buffer])[]
}

const readyForQuery = 'Z'
const backendKeyData = 'K'

/**
 * Starts what a pooler is to its clients: it tells process ids of its own, and with `transaction`
 * all clients share one session of the server, each until its transaction ends. The first client
 * logs in with the server, the others are let in.
 */
export async function startPooler(
  connectionString: string,
  pooling: 'session' | 'transaction',
): Promise<Pooler> {
  const { hostname, port } = new URL(connectionString)
  const sessions: Session[] = []
  const listener = createServer((client) => {
    client.on('error', () => {})
    const [shared] = sessions
    if (pooling === 'transaction' && shared !== undefined) return letIn(shared, client)
    sessions.push(logIn(dial(Number(port), hostname), client))
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  const url = new URL(connectionString)
  url.hostname = '127.0.0.1'
  url.port = String(typeof address === 'object' ? address?.port : '')
  return {
    connectionString: url.href,
    [Symbol.asyncDispose]: async () => {
      for (const { server, clients } of sessions) {
        for (const socket of [server, ...clients]) socket.destroy()
      }
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

function logIn(server: Socket, client: Socket): Session {
  const session: Session = {
    server,
    clients: [client],
    welcome: [],
    isReady: false,
    pending: 0,
    turn: undefined,
    waiting: [],
  }
  server.on('error', () => {})
  const answers = new Messages((type, message) => answer(session, type, message))
  server.on('data', (data) => answers.push(data))
  const requests = new Messages((type, message) => ask(session, client, type, message))
  client.on('data', (data) => {
    if (session.isReady) requests.push(data)
    else server.write(data)
  })
  return session
}

function letIn(session: Session, client: Socket): void {
  session.clients.push(client)
  const requests = new Messages((type, message) => ask(session, client, type, message))
  client.once('data', () => {
    for (const message of session.welcome) client.write(message)
    client.on('data', (data) => requests.push(data))
  })
}

function answer(session: Session, type: string, message: Buffer): void {
  if (type === backendKeyData) message.writeInt32BE(1, 5)
  if (!session.isReady) {
    // Authentication that goes on is between the server and the first client.
    if (type !== 'R' || message.readInt32BE(5) === 0) session.welcome.push(message)
    session.isReady = type === readyForQuery
    session.clients[0]?.write(message)
    return
  }
  session.turn?.write(message)
  if (type !== readyForQuery) return
  session.pending -= 1
  if (session.pending > 0 || message.toString('latin1', 5) !== 'I') return
  session.turn = undefined
  for (const [client, request] of session.waiting.splice(0)) {
    ask(session, client, String.fromCharCode(request[0] ?? 0), request)
  }
}

function ask(session: Session, client: Socket, type: string, message: Buffer): void {
  if (type === 'X') return void client.end()
  session.turn ??= client
  if (session.turn !== client) return void session.waiting.push([client, message])
  if (type === 'S' || type === 'Q') session.pending += 1
  session.server.write(message)
}
