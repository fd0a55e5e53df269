use scenario::fault::{LinkChange, Surgery};
use super::Lab;
use crate::Result;
impl Lab {
    pub async fn kill_daemon(&self, _: &str) -> Result<()> { todo!() }
    pub async fn restart_daemon(&self, _: &str) -> Result<()> { todo!() }
    pub async fn power_off(&self, _: &str) -> Result<()> { todo!() }
    pub async fn power_on(&self, _: &str) -> Result<()> { todo!() }
    pub async fn change_link(&self, _: &str, _: LinkChange, _: u64) -> Result<()> { todo!() }
    pub async fn partition(&self, _: &str, _: &str) -> Result<()> { todo!() }
    pub async fn heal(&self, _: &str, _: &str) -> Result<()> { todo!() }
    pub async fn operate(&self, _: &Surgery) -> Result<()> { todo!() }
    pub async fn mend(&self) -> Result<()> { Ok(()) }
}
