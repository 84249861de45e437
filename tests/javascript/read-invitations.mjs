// What ical.js reads in invitations: `node read-invitations.mjs FILE...`. A list on stdout; times are seconds since 1970.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const read = (file) => {
  const calendar = new ICAL.Component(ICAL.parse(readFileSync(file, "utf8")));
  for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(new ICAL.Timezone(zone));
  const event = new ICAL.Event(calendar.getFirstSubcomponent("vevent"));
  const told = {
    method: calendar.getFirstPropertyValue("method"),
    uid: event.uid,
    sequence: event.sequence,
    start: event.startDate.toUnixTime(),
    end: event.endDate.toUnixTime(),
    attendee: event.attendees[0].getFirstValue(),
  };
  ICAL.TimezoneService.reset();
  return told;
};

console.log(JSON.stringify(process.argv.slice(2).map(read)));
