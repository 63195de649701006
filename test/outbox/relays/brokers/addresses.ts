import { once } from 'node:events'
import { connect } from 'node:net'

/** Tries an address. Says what is wrong with it, or nothing. */
export async function cannotConnect(url: string): Promise<string | undefined> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  try {
    await once(socket, 'connect')
    return undefined
  } catch (error) {
    return `${hostname}:${port}: ${(error as NodeJS.ErrnoException).code}`
  } finally {
    socket.destroy()
  }
}

/** Gives the same address with another port, that of a proxy. */
export function atPort(url: string, port: number): string {
  const moved = new URL(url)
  moved.hostname = '127.0.0.1'
  moved.port = String(port)
  return moved.href
}
