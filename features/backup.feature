Feature: Backup and restore
  A deployment that was lost comes back as it was when it was backed up, wholly or not at all.

  Background:
    Given a deployment with "refunds.txt" saying "Refunds are paid within 7 days of purchase."

  Scenario: What was lost comes back
    When I back it up
    And the deployment is lost
    And I restore the backup
    Then the question "How fast are refunds paid?" is answered with "7 days"

  Scenario: A damaged backup is refused, and nothing is touched
    When I back it up
    And a bit of the backup flips
    And I restore the backup over what is there
    Then that is refused because "the backup is damaged"
    And the question "How fast are refunds paid?" is answered with "7 days"

  Scenario: What is there is not replaced by mistake
    When I back it up
    And I add "lunch.txt" saying "Lunch is served at noon."
    And I restore the backup
    Then that is refused because "--replace"
    And the question "When is lunch served?" is answered with "noon"

  Scenario: What came after a backup is gone once it replaces everything
    When I back it up
    And I add "lunch.txt" saying "Lunch is served at noon."
    And I restore the backup over what is there
    Then the question "When is lunch served?" is not answered
    And the question "How fast are refunds paid?" is answered with "7 days"
