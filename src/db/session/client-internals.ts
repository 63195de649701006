import type { Socket } from 'node:net'
import type pg from 'pg'

/** The parts of a client that pg does not type. */
interface Internals {
  readonly processID: number | null
  readonly readyForQuery: boolean | null
  readonly pipeline?: boolean
  readonly connection: { readonly stream: Socket }
}

/**
 * Gives the id of the server's process that the client was told at log-in; null before that. A pooler
 * tells an invention of its own.
 */
export function processIdOf(client: pg.ClientBase): number | null {
  return (client as unknown as Internals).processID
}

/** Gives the socket that a connected client reads from and writes to, encrypted or not. */
export function socketOf(client: pg.ClientBase): Socket {
  return (client as unknown as Internals).connection.stream
}

/** Tells whether a statement is under way. */
export function isWaiting(client: pg.ClientBase): boolean {
  return (client as unknown as Internals).readyForQuery === false
}

/** Tells whether statements may be issued without waiting for the answers to those before. */
export function isPipelined(client: pg.ClientBase): boolean {
  return (client as unknown as Internals).pipeline === true
}
