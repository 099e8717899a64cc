Feature: The queue of ingestion
  What was accepted waits until a worker is there, is never dropped, and tells how far it is; what
  ends its workers is given up, listed, and queued once more when somebody says so.

  Scenario: A document that ended every attempt is given up, listed, and queued once more
    Given a deployment whose workers are elsewhere
    And an empty workspace
    When I send "parking.txt" saying "Parking costs 4 EUR a day."
    And 5 workers die over it
    And a worker does what waits
    Then "parking.txt" has failed with the code "too_many_attempts"
    And "rag jobs --dead" lists "parking.txt", as a worker "gave up after 5 attempts"
    When I run "rag jobs --replay"
    Then "parking.txt" is queued
    When a worker does what waits
    And I ask "What does parking cost a day?"
    Then the answer says "4 EUR"
    And nothing is given up any more

  Scenario: A full queue takes nothing more, and keeps what it took
    Given a deployment whose workers are elsewhere, and whose queue holds 2
    And an empty workspace
    When I send "parking.txt" saying "Parking costs 4 EUR a day."
    And I send "lockers.txt" saying "Lockers open at seven."
    And I send "lunch.txt" saying "Lunch is served from noon to two."
    Then it is refused with 429 and the code "queue_full"
    And it says when to try again
    When a worker does what waits
    And I send "lunch.txt" saying "Lunch is served from noon to two."
    And a worker does what waits
    Then these are indexed, once each: lockers.txt, lunch.txt, parking.txt

  Scenario: A long document says how far it has been read
    Given an empty workspace
    When I send "long.txt", which takes long from its half on
    Then the progress of "long.txt" comes to be half of its parsing
    When it takes no longer
    Then "long.txt" is indexed
