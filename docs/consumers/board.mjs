// Which courts are taken, from memory: `npm install kafkajs && node board.mjs`. Each start reads the topic anew: it is kept for ever.
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({ brokers: [process.env.KAFKA ?? "127.0.0.1:19092"], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({
  groupId: process.env.GROUP ?? `board-${randomUUID()}`, // each board is a group of its own: it needs every partition
  allowAutoTopicCreation: false,
});
const bookings = new Map(); // by booking_id, the newest that is known

const TAKEN = new Set(["held", "confirmed"]);

function show(booking) {
  const known = bookings.get(booking.booking_id);
  if (known && known.version >= booking.version) return; // a repetition, or older than what is known
  bookings.set(booking.booking_id, booking); // ended ones too: their version must be known when an old event comes late
  const { booking_id, version, court_name, starts_at, status } = booking;
  console.log(JSON.stringify({ booking_id, version, court_name, starts_at, taken: TAKEN.has(status) }));
}

await consumer.connect();
await consumer.subscribe({ topic: process.env.TOPIC ?? "booking.events", fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    const type = message.headers.ce_type?.toString() ?? "";
    if (/^booking\.\w+\.v1$/.test(type)) show(JSON.parse(message.value.toString()));
  },
});
